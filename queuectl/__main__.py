"""`python -m queuectl`: how the console and the daemon start their child processes."""

from queuectl.cli.main import main

if __name__ == "__main__":
    main()
