"""The lives of what the firmware keeps, each as a table: what every deed makes of each state.

The firmware asks these tables, and docs/protocol.md draws its diagrams from them. A deed that has no row in a state is
refused there, or never done. The words of a deed are what the diagram says.
"""
