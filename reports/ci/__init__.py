"""What a CI reads: junit.xml, summary.md, annotations."""
