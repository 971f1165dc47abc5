"""The control plane: the tester's hand (time, faults, power, truth), apart from the telemetry line.

`server` needs the packages of the extra `control`, so it is imported only when a control plane is asked for. `client`
needs the standard library alone, so that any test can use it.
"""
