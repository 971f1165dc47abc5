"""The project is somebody else's: its tests run where the wheel is installed, and not among ours."""

collect_ignore = ["project"]
