"""Load scenarios under a virtual clock: the policies of `queuectl.policy`, unchanged, against a modelled world."""
