"""What can be measured: each check, the words a measurement is made of, and the topology that says what to measure."""
