"""The rounding rule of each module of a network, and how far the library's functions err."""
