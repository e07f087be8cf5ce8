"""Starting, stopping, pausing, resuming and restarting what is not a virtual machine."""
