"""What is particular to each vendor: data, one file each."""
