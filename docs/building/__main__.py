from building import api, commands, shown
from pathlib import Path

D = Path(__file__).parent.parent
api.write(D / "api")
commands.write(D / "api")
shown.write(D)
