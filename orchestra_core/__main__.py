"""`python -m orchestra_core` is `ai-orchestra`."""

from orchestra_core.cli import main

if __name__ == "__main__":
    main()
