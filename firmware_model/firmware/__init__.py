"""What the pump's program computes, stores and reports. It commands steps, and never reads the plant."""
