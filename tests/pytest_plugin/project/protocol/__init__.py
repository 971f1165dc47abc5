"""This project's own idea of the pump's protocol, which hides vpump's package of the same name."""
