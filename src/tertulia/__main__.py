"""`python -m tertulia`."""

import sys

from tertulia.cli import main

sys.exit(main())
