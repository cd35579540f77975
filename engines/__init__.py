"""Engines that run the program: the protocol, the Pulumi CLI, and one in this Python process."""
