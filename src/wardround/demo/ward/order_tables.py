"""Converts orders of the synthetic ward to frames with MIMIC-IV's columns; labels are made from these tables."""

import numpy as np
import pandas as pd

from wardround.demo.ward.ids import ADMISSION, CULTURE, PHARMACY, STAY, SUBJECT
from wardround.demo.ward.items import ANTIBIOTICS, FOLEY, NOREPINEPHRINE
from wardround.demo.ward.patients import WardPatients
from wardround.demo.ward.suspicion import Orders, Treatment
from wardround.demo.ward.wall_clock import clock


def order_tables(patients: WardPatients, treatment: Treatment, now: int) -> dict[str, pd.DataFrame]:
    """Returns prescriptions, microbiologyevents, inputevents and outputevents of orders that began by `now`.

    `now` is in UTC seconds.
    """
    return {
        "prescriptions": _prescriptions(patients, treatment.antibiotics.known(now)),
        "microbiologyevents": _microbiologyevents(patients, treatment.cultures.known(now)),
        "inputevents": _inputevents(patients, treatment.vasopressors.known(now)),
        "outputevents": _outputevents(patients, treatment.urine.known(now)),
    }


def _prescriptions(patients: WardPatients, orders: Orders) -> pd.DataFrame:
    return pd.DataFrame(
        {
            **_of_admission(patients, orders),
            "pharmacy_id": PHARMACY + patients.number[orders.stay],
            "starttime": clock(orders.start),
            "stoptime": clock(orders.stop),
            "drug_type": orders.each("MAIN"),
            "drug": np.array(ANTIBIOTICS)[orders.value.astype(int) % len(ANTIBIOTICS)],
            "route": orders.each("IV"),
        }
    )


def _microbiologyevents(patients: WardPatients, orders: Orders) -> pd.DataFrame:
    number = patients.number[orders.stay]
    taken = clock(orders.start)
    return pd.DataFrame(
        {
            "microevent_id": CULTURE + number,
            **_of_admission(patients, orders),
            "micro_specimen_id": CULTURE + number,
            "chartdate": taken.astype("datetime64[D]").astype("datetime64[s]"),
            "charttime": taken,
            "spec_type_desc": orders.each("BLOOD CULTURE"),
            "test_name": orders.each("Blood Culture"),
            "org_name": orders.each(""),
        }
    )


def _inputevents(patients: WardPatients, orders: Orders) -> pd.DataFrame:
    return pd.DataFrame(
        {
            **_of_admission(patients, orders),
            "stay_id": STAY + patients.number[orders.stay],
            "starttime": clock(orders.start),
            "endtime": clock(orders.stop),
            "itemid": orders.each(NOREPINEPHRINE),
            "rate": orders.value,
            "rateuom": orders.each("mcg/kg/min"),
            "patientweight": np.round(patients.weight[orders.stay], 1),
        }
    )


def _outputevents(patients: WardPatients, orders: Orders) -> pd.DataFrame:
    return pd.DataFrame(
        {
            **_of_admission(patients, orders),
            "stay_id": STAY + patients.number[orders.stay],
            "charttime": clock(orders.start),
            "itemid": orders.each(FOLEY),
            "value": orders.value.astype(int),
            "valueuom": orders.each("mL"),
        }
    )


def _of_admission(patients: WardPatients, orders: Orders) -> dict[str, np.ndarray]:
    return {
        "subject_id": SUBJECT + patients.patient[orders.stay],
        "hadm_id": ADMISSION + patients.number[orders.stay],
    }
