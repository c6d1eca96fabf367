"""What is measured, one module each: how it is started, what it is asked, which processes are its own."""
