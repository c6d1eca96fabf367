"""Builds the images and runs the stack made of them; standard library only, for any host with Python 3.9."""
