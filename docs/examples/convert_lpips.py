"""Writes the weights of LPIPS 0.1 as facezoo reads them: `lpips_alex.npz` and `lpips_squeeze.npz`.

python convert_lpips.py FOLDER, and FACEZOO_WEIGHTS=FOLDER from then on. Needs PyTorch, and the package with the heads:
pip install torch && pip install --no-deps lpips==0.1.4. The networks (238 MB) are downloaded from PyTorch.
"""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import torch
from facezoo.losses.lpips import list_arrays

ADDRESS = "https://download.pytorch.org/models/"
NETWORKS = {"alex": "alexnet-owt-7be5be79.pth", "squeeze": "squeezenet1_1-b8a52dc0.pth"}

package = importlib.util.find_spec("lpips")  # which is not imported
if package is None:
    sys.exit("The heads are missing: pip install --no-deps lpips==0.1.4")
folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
for name, file in NETWORKS.items():
    network = torch.hub.load_state_dict_from_url(ADDRESS + file, map_location="cpu", check_hash=True)
    convolutions = [numbers for key, numbers in network.items() if key.startswith("features.")]
    heads = torch.load(Path(package.origin).parent / "weights" / "v0.1" / f"{name}.pth", map_location="cpu").values()
    kept = {}
    for array, numbers in zip(list_arrays(name), [*convolutions, *map(torch.flatten, heads)], strict=True):
        kept[array] = (numbers.permute(2, 3, 1, 0) if numbers.ndim == 4 else numbers).numpy()
    np.savez(folder / f"lpips_{name}.npz", **kept)
    print(folder / f"lpips_{name}.npz")
