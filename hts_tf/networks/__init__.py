"""Keras networks, layers, and operations of our own."""
