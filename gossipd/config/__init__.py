"""Configuration as frozen values (``model.py``) and how they are read (``load.py``)."""
