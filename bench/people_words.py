"""What bench.people_columns makes people of: names, invented places, public code lists (ICD-10-CM, RxNorm, CPT)."""

from typing import NamedTuple

from marketing.demo import words

FEMALE, MALE, LAST, STREETS = words.FEMALE, words.MALE, words.LAST, list(words.STREETS)
SEXES = ["female", "male", "other", "unknown"]
#: years of age, five from each on -> share in a thousand
AGES = (
    (0, 45), (5, 48), (10, 50), (15, 52), (20, 58), (25, 62), (30, 66), (35, 66), (40, 64), (45, 66),
    (50, 70), (55, 74), (60, 74), (65, 65), (70, 54), (75, 38), (80, 26), (85, 15), (90, 7),
)  # fmt: skip
DOMAINS = ["mail.example", "inbox.example", "post.example.net", "family.example.org", "webmail.example.com"]
LANGUAGES = ["en", "es", "zh", "vi", "fr"]
PLANS = [
    "BCBS PPO", "BCBS HMO", "Aetna PPO", "UnitedHealthcare Choice", "Cigna Open Access", "Kaiser HMO", "Humana Gold",
    "Medicare", "Medicaid", "Tricare", "Self-pay",
]  # fmt: skip
PLANS_YOUNG = (0.21, 0.13, 0.13, 0.15, 0.10, 0.06, 0.02, 0.01, 0.14, 0.02, 0.03)
PLANS_OLD = (0.05, 0.04, 0.04, 0.05, 0.02, 0.03, 0.14, 0.56, 0.05, 0.01, 0.01)
PROVIDERS = [f"Dr. {name}" for name in ["Lee", *(name for name in LAST if name != "Lee")]][:120]
_EAST, _CENTRAL, _WEST = "America/New_York", "America/Chicago", "America/Los_Angeles"
#: city, state, first three digits of its ZIP codes, zone; the largest first
PLACES = [
    ("Lakeside", "OH", "441", _EAST), ("Fairhaven", "MA", "027", _EAST), ("Milltown", "PA", "165", _EAST),
    ("Prairie Junction", "IL", "609", _CENTRAL), ("Visalia", "CA", "932", _WEST), ("Springfield", "MA", "011", _EAST),
    ("Rocky Point", "OH", "442", _EAST), ("Riverton", "NJ", "080", _EAST), ("Cedar Falls", "IA", "506", _CENTRAL),
    ("Port Clarence", "NY", "119", _EAST), ("Mesa Verde", "AZ", "852", "America/Phoenix"),
    ("Alder Creek", "CO", "802", "America/Denver"), ("Bayview", "TX", "785", _CENTRAL), ("Elk Grove", "CA", "957", _WEST),
    ("Harbor Point", "ME", "041", _EAST), ("Northfield", "MN", "550", _CENTRAL), ("Oakdale", "LA", "714", _CENTRAL),
    ("Summerville", "SC", "294", _EAST), ("Kingsport", "TN", "376", _EAST), ("Anchor Bay", "AK", "995", "America/Anchorage"),
]  # fmt: skip
CITIES = [place[0] for place in PLACES]
STATES = sorted({place[1] for place in PLACES})
ZONES = sorted({place[3] for place in PLACES})
ZIPS = [f"{place[2]}{n:02}" for place in PLACES for n in range(1, 21)]


class Care(NamedTuple):
    """Something people are given, and how often: `share` of those of `sex` from `age` on, `rise` more per year over it."""

    code: str
    name: str
    age: int
    share: float
    rise: float = 0.0
    sex: str = ""
    until: int = 120


#: Beside what the demo's people have: the rest of the diabetes family, and pregnancies.
CONDITIONS = [
    *(Care(c.code, c.display, c.from_age, c.share, c.rise, c.sex) for c in words.CONDITIONS),
    Care("E11.22", "Type 2 diabetes mellitus with diabetic chronic kidney disease", 45, 0.008, 0.0008),
    Care("E11.319", "Type 2 diabetes mellitus with unspecified diabetic retinopathy", 45, 0.006, 0.0005),
    Care("E11.42", "Type 2 diabetes mellitus with diabetic polyneuropathy", 45, 0.007, 0.0006),
    Care("E10.9", "Type 1 diabetes mellitus without complications", 5, 0.004),
    Care("Z33.1", "Pregnant state, incidental", 18, 0.06, sex="female", until=44),
    Care("C50.919", "Malignant neoplasm of unspecified female breast", 40, 0.012, 0.0006, "female"),
    Care("B20", "Human immunodeficiency virus disease", 18, 0.003),
    Care("F10.20", "Alcohol dependence, uncomplicated", 18, 0.02),
]
MEDICATIONS = {c.code: c.medication for c in words.CONDITIONS if c.medication} | {
    "E11.22": ("861007", "metformin hydrochloride 500 MG Oral Tablet"),
    "E11.42": ("274783", "insulin glargine 100 UNT/ML"),
    "E10.9": ("274783", "insulin glargine 100 UNT/ML"),
}
#: Each once in `years` on average to those it concerns.
PROCEDURES = [
    Care("77067", "Screening mammography, bilateral", 40, 0.62, sex="female", until=76),
    Care("45378", "Colonoscopy, diagnostic", 45, 0.35, until=80),
    Care("90471", "Immunization administration", 0, 0.45),
    Care("80061", "Lipid panel", 25, 0.35),
    Care("88175", "Cervical cytology", 21, 0.45, sex="female", until=66),
    Care("84153", "Prostate specific antigen", 50, 0.30, sex="male"),
    Care("77080", "Bone density study", 65, 0.35, sex="female"),
    Care("71250", "CT of the chest, low dose", 50, 0.06),
]
FOR_DIABETES = [("83036", "Hemoglobin A1c", 0.8), ("92250", "Fundus photography", 0.5)]
VISITS = list(words.VISITS)
VISIT_SHARES = (0.48, 0.16, 0.14, 0.09, 0.05, 0.08)
#: The long tail: codes few people have, the first ones most.
RARE_CONDITIONS = [
    (f"{chapter}{n:02}.{k}", f"{what}, {n:02}.{k}")
    for n in range(10, 60, 5)
    for k in (0, 1, 8)
    for chapter, what in (
        ("M", "Disorder of joints"), ("S", "Injury"), ("H", "Disorder of the eye"), ("L", "Disorder of the skin"),
        ("K", "Disease of the intestines"), ("R", "Symptom"), ("G", "Disorder of nerves"), ("N", "Disease of the kidney"),
    )
]  # fmt: skip
RARE_PROCEDURES = [(f"{code}", f"Procedure {code}") for code in range(10_060, 69_990, 599)]
