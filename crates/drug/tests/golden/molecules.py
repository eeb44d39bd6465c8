"""Writes molecules.csv, the reference values of tests/it/chem.rs, with RDKit 2026.9.1: python3 molecules.py > molecules.csv"""
import csv
import sys

from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator
from rdkit.Chem.Scaffolds import MurckoScaffold

SMILES = """CC(=O)Oc1ccccc1C(=O)O
CN1C=NC2=C1C(=O)N(C(=O)N2C)C
C[C@@H](N)C(=O)O
C/C=C/C
[O-][N+](=O)c1ccc(Cl)cc1
CN(=O)=O
[Na+].[Cl-]
[2H]C([2H])([2H])O
[H]OC
C1CC2CCC1C2
c1ccc2[nH]ccc2c1
OCl(=O)(=O)=O
F[P-](F)(F)(F)(F)F
C1=CC=CC=C1
*c1ccccc1
C%12CCC%12
N->[Pt]
CN(C)C/C=C/C(=O)NC1=C(C=C2C(=C1)C(=NC=N2)NC3=CC(=C(C=C3)F)Cl)O[C@H]4CCOC4
CC(C)C1=C2N=C(NC3=CC=CC(=C3)N)N=CN2N=C1""".split()

generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
writer = csv.writer(sys.stdout, lineterminator="\n")
writer.writerow(["smiles", "canonical", "flat", "murcko", "heavy_atoms", "ecfp4"])
for smiles in SMILES:
    molecule = Chem.MolFromSmiles(smiles)
    writer.writerow(
        [
            smiles,
            Chem.MolToSmiles(molecule),
            Chem.MolToSmiles(molecule, isomericSmiles=False),
            MurckoScaffold.MurckoScaffoldSmiles(mol=molecule),
            molecule.GetNumHeavyAtoms(),
            " ".join(map(str, generator.GetFingerprint(molecule).GetOnBits())),
        ]
    )
