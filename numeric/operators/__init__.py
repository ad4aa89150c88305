"""What a module executes, watched operator by operator: where W reads, what meets the network, what is patched."""
