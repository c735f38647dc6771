"""Lists what the synthetic ward charts and measures: MIMIC's item ids, their distributions, how illness moves them.

Medians and spreads follow the MIMIC-IV demo. `severity` and `infection` say how much one unit of the latent course
(demo/ward/course.py) moves the item, on the scale on which the item is drawn.
"""

from dataclasses import dataclass
from typing import Final, Literal

Panel = Literal["count", "chemistry", "gas", "lactate", "liver", "clotting", "bands", "protein"]


@dataclass(frozen=True)
class ChartItem:
    """A row of d_items that the ward charts every `every` hours."""

    itemid: int
    label: str
    unit: str
    category: str
    every: float
    decimals: int = 0


@dataclass(frozen=True)
class LabItem:
    """A row of d_labitems that the ward measures, and its distribution.

    `log`: the value is lognormal with this median and spread. `organ` names a trait of the stay that items share.
    """

    itemid: int
    label: str
    unit: str
    panel: Panel
    log: bool
    median: float
    spread: float
    severity: float
    infection: float
    organ: str
    organ_load: float
    decimals: int
    low: float
    high: float
    least: float
    most: float


VITAL, RESPIRATORY, NEURO = "Routine Vital Signs", "Respiratory", "Neurological"

CHART_ITEMS: Final = {
    "heart_rate": ChartItem(220045, "Heart Rate", "bpm", VITAL, 1),
    "respiratory_rate": ChartItem(220210, "Respiratory Rate", "insp/min", RESPIRATORY, 1),
    "respiratory_rate_total": ChartItem(224690, "Respiratory Rate (Total)", "insp/min", RESPIRATORY, 4),
    "spo2": ChartItem(220277, "O2 saturation pulseoxymetry", "%", RESPIRATORY, 1),
    "fahrenheit": ChartItem(223761, "Temperature Fahrenheit", "°F", VITAL, 4, decimals=1),
    "celsius": ChartItem(223762, "Temperature Celsius", "°C", VITAL, 1, decimals=1),
    "arterial_systolic": ChartItem(220050, "Arterial Blood Pressure systolic", "mmHg", VITAL, 1),
    "arterial_diastolic": ChartItem(220051, "Arterial Blood Pressure diastolic", "mmHg", VITAL, 8),
    "arterial_mean": ChartItem(220052, "Arterial Blood Pressure mean", "mmHg", VITAL, 1),
    "line_mean": ChartItem(225312, "ART BP Mean", "mmHg", VITAL, 1),
    "cuff_systolic": ChartItem(220179, "Non Invasive Blood Pressure systolic", "mmHg", VITAL, 1),
    "cuff_diastolic": ChartItem(220180, "Non Invasive Blood Pressure diastolic", "mmHg", VITAL, 8),
    "cuff_mean": ChartItem(220181, "Non Invasive Blood Pressure mean", "mmHg", VITAL, 1),
    "eye": ChartItem(220739, "GCS - Eye Opening", "", NEURO, 8),
    "verbal": ChartItem(223900, "GCS - Verbal Response", "", NEURO, 8),
    "motor": ChartItem(223901, "GCS - Motor Response", "", NEURO, 8),
    "sedation": ChartItem(228096, "Richmond-RAS Scale", "", NEURO, 8),
    "fio2": ChartItem(223835, "Inspired O2 Fraction", "", RESPIRATORY, 4),
    "peep": ChartItem(220339, "PEEP set", "cmH2O", RESPIRATORY, 4),
    "ventilator": ChartItem(223849, "Ventilator Mode", "", RESPIRATORY, 4),
    "weight": ChartItem(226512, "Admission Weight (Kg)", "kg", "General", 0, decimals=1),
    "height": ChartItem(226730, "Height (cm)", "cm", "General", 0),
}

PANEL_GAP: Final[dict[Panel, float]] = {
    "count": 25, "chemistry": 25, "gas": 12, "lactate": 6.5, "liver": 26, "clotting": 26, "bands": 26, "protein": 72,
}  # fmt: skip
"""Median number of hours between two draws of a panel."""

PANEL_SHARE: Final[dict[Panel, float]] = {
    "count": 1.0, "chemistry": 1.0, "gas": 0.8, "lactate": 0.8, "liver": 0.8, "clotting": 0.9, "bands": 0.3,
    "protein": 0.19,
}  # fmt: skip
"""Share of stays in which a panel is ever drawn."""

# fmt: off
LAB_ITEMS: Final = (
    LabItem(51301, "White Blood Cells", "K/uL", "count", True, 8.8, .48, .06, .46, "marrow", .20, 1, 4, 10, .1, 400),
    LabItem(51265, "Platelet Count", "K/uL", "count", True, 200, .60, -.10, -.16, "marrow", .40, 0, 150, 440, 5, 1500),
    LabItem(51222, "Hemoglobin", "g/dL", "count", False, 9.9, .7, -.25, -.15, "blood", 2.0, 1, 12, 16, 3.3, 20),
    LabItem(51221, "Hematocrit", "%", "count", False, 30.2, 1.6, -.75, -.45, "blood", 6.0, 1, 36, 48, 10, 60),
    LabItem(50912, "Creatinine", "mg/dL", "chemistry", True, .98, .30, .14, .16, "kidney", .55, 1, .4, 1.1, .1, 20),
    LabItem(51006, "Urea Nitrogen", "mg/dL", "chemistry", True, 19, .35, .14, .15, "kidney", .55, 0, 6, 20, 1, 250),
    LabItem(50931, "Glucose", "mg/dL", "chemistry", True, 121, .35, .06, .08, "", 0, 0, 70, 105, 20, 1200),
    LabItem(50971, "Potassium", "mEq/L", "chemistry", False, 4.15, .45, .05, .05, "kidney", .22, 1, 3.3, 5.1, 1.8, 9),
    LabItem(50983, "Sodium", "mEq/L", "chemistry", False, 138, 4.8, -.2, -.3, "", 0, 0, 133, 145, 105, 175),
    LabItem(50882, "Bicarbonate", "mEq/L", "chemistry", False, 25, 3.4, -1.1, -1.6, "kidney", -1.2, 0, 22, 32, 5, 50),
    LabItem(50813, "Lactate", "mmol/L", "lactate", True, 1.7, .34, .24, .46, "liver", .08, 1, .5, 2, .3, 25),
    LabItem(50821, "pO2", "mm Hg", "gas", True, 100, .48, -.08, -.05, "", 0, 0, 85, 105, 14, 600),
    LabItem(50818, "pCO2", "mm Hg", "gas", True, 40, .20, .03, -.04, "", 0, 0, 35, 45, 15, 140),
    LabItem(50820, "pH", "units", "gas", False, 7.385, .068, -.028, -.026, "kidney", -.012, 2, 7.35, 7.45, 6.8, 7.7),
    LabItem(50802, "Base Excess", "mEq/L", "gas", False, -.5, 3.4, -1.2, -1.5, "kidney", -1.2, 0, -2, 2, -30, 25),
    LabItem(50885, "Bilirubin, Total", "mg/dL", "liver", True, .55, .50, .12, .12, "liver", .85, 1, 0, 1.5, .2, 60),
    LabItem(50862, "Albumin", "g/dL", "liver", False, 3.55, .35, -.15, -.25, "liver", -.35, 1, 3.5, 5.2, 1, 6),
    LabItem(51237, "INR(PT)", "", "clotting", True, 1.28, .16, .05, .06, "liver", .14, 1, .9, 1.1, .8, 15),
    LabItem(51275, "PTT", "sec", "clotting", True, 34, .28, .06, .06, "liver", .08, 1, 25, 36.5, 18, 150),
    LabItem(51144, "Bands", "%", "bands", False, -1.2, 2.8, .5, 3.0, "", 0, 0, 0, 5, 0, 60),
    LabItem(50889, "C-Reactive Protein", "mg/L", "protein", True, 17, 1.3, .3, .9, "", 0, 1, 0, 5, .3, 400),
)
# fmt: on

ORGANS: Final = ("kidney", "liver", "marrow", "blood")

SPECIMEN_TYPE: Final = 52033
"""The item of labevents that says what kind of blood a gas was drawn from."""
ARTERIAL: Final = "ART."

# What MIMIC charts in words, in addition to the number of the score or instead of it.
VERBAL_WORDS: Final = ("No Response", "Incomprehensible sounds", "Inappropriate Words", "Confused", "Oriented")
INTUBATED_WORDS: Final = "No Response-ETT"
VENTILATOR_MODE: Final = "CMV/ASSIST"

# (itemid, label, unit, category, table) of the rows of d_items that are neither charted nor measured.
NOREPINEPHRINE: Final = 221906
FOLEY: Final = 226559
OTHER_ITEMS: Final = (
    (NOREPINEPHRINE, "Norepinephrine", "mcg/kg/min", "Medications", "inputevents"),
    (FOLEY, "Foley", "mL", "Output", "outputevents"),
)
ANTIBIOTICS: Final = ("Vancomycin", "Piperacillin-Tazobactam", "CefePIME", "CeftriaXONE", "Meropenem")
"""As spelled in MIMIC's prescriptions."""
