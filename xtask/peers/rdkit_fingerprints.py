"""Time of parsing SMILES, writing RDKit's canonical SMILES and computing Morgan fingerprints (radius 2, 2048 bits) of each.

    python3 rdkit_fingerprints.py INPUTS.json
"""

import json
import sys
import time

import rdkit
from rdkit import Chem, RDLogger
from rdkit.Chem import rdFingerprintGenerator


def main():
    RDLogger.DisableLog("rdApp.*")
    with open(sys.argv[1], encoding="utf-8") as file:
        molecules = json.load(file)["molecules"]
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    times = []
    for _ in range(3):
        began = time.perf_counter()
        for smiles in molecules:
            molecule = Chem.MolFromSmiles(smiles)
            if molecule is not None:
                Chem.MolToSmiles(molecule)
                generator.GetFingerprint(molecule)
        times.append(time.perf_counter() - began)
    print(json.dumps({"seconds": sorted(times)[1], "items": len(molecules), "version": f"RDKit {rdkit.__version__}"}))


if __name__ == "__main__":
    main()
