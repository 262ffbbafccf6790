"""Musical Neighbours: who hears music the way I do?"""

__version__ = "0.1.0"
