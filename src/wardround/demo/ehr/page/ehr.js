// The page: a list of patients; a chart, which calls the service when it is opened.

import { cardElement } from "./cards.js";
import { asked, found } from "./fhir.js";
import { called, discovered } from "./hooks.js";
import { element } from "./markdown.js";

const MOST_VALUES = 12;
const WHEN = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZoneName: "short" };
const FIRST = [".critical", ".warning", ".card"];
const places = await (await fetch("places.json")).json();
const chart = document.getElementById("chart");
let opened = 0;

function nameOf(patient) {
  const [name] = patient.name ?? [];
  const words = [name?.text ?? [...(name?.given ?? []), name?.family].filter(Boolean).join(" "), `Patient ${patient.id}`];
  return words.find(Boolean);
}

/** Opens a chart. What comes late, when another one was opened meanwhile, is not shown: it is of another patient. */
async function open(patient, button) {
  const mine = ++opened;
  document.querySelectorAll("nav [aria-current]").forEach((one) => one.removeAttribute("aria-current"));
  button.setAttribute("aria-current", "true");
  const cards = element("div", [element("p", ["Asking …"], { class: "quiet" })], { id: "cards", "aria-live": "polite" });
  const values = element("div", [], { id: "values" });
  const about = [patient.gender, patient.birthDate && `born ${patient.birthDate}`, `id ${patient.id}`];
  chart.replaceChildren(
    element("h2", [nameOf(patient)]),
    element("p", [about.filter(Boolean).join(" · ")], { class: "quiet" }),
    cards,
    values,
  );
  const [told, table] = await Promise.all([answersAbout(patient.id), latestValues(patient.id)]);
  if (mine !== opened) return;
  cards.replaceChildren(...told);
  values.replaceChildren(...table);
  chart.dataset.about = patient.id;
}

async function answersAbout(patientId) {
  let services;
  try {
    services = await discovered(places.cds);
  } catch (error) {
    return [failure("Cards", error)];
  }
  const answers = services.map(async (service) => {
    const title = service.title ?? service.id;
    try {
      const cards = await called(places, service, patientId);
      if (!cards.length) return [element("p", [`${title}: nothing to say.`], { class: "quiet" })];
      return cards.map((card) => cardElement(places, service, card));
    } catch (error) {
      return [failure(title, error)];
    }
  });
  const rank = (one) => FIRST.findIndex((kind) => one.matches(kind)) + 1 || FIRST.length + 1;
  return (await Promise.all(answers)).flat().sort((one, other) => rank(one) - rank(other));
}

/** Returns what is shown where there is no answer: never the same as where there is nothing to say. */
function failure(title, error) {
  return element("p", [`${title}: no answer, ${error.message}.`], { class: "card warning", role: "alert" });
}

async function latestValues(patientId) {
  const patient = encodeURIComponent(patientId);
  let bundle;
  try {
    bundle = await asked(places.fhir, `Observation?patient=${patient}&_sort=-date&_count=1000`);
  } catch (error) {
    return [failure("Values", error)];
  }
  const latest = new Map();
  for (const { resource } of bundle.entry ?? []) {
    const coding = resource.code?.coding?.[0];
    const name = resource.code?.text ?? coding?.display ?? coding?.code;
    if (resource.valueQuantity && name && !latest.has(name)) latest.set(name, resource);
  }
  const rows = [...latest].slice(0, MOST_VALUES).map(([name, one]) => element("tr", [
    element("td", [name]),
    element("td", [`${one.valueQuantity.value} ${one.valueQuantity.unit ?? ""}`]),
    element("td", [new Date(one.effectiveDateTime).toLocaleString("en-GB", WHEN)]),
  ]));
  const head = element("tr", ["Value", "Latest", "When"].map((title) => element("th", [title])));
  return rows.length ? [element("h2", ["Latest values"]), element("table", [head, ...rows])] : [];
}

async function list() {
  const patients = await found(places.fhir, "Patient?_count=1000");
  const named = patients.map((one) => [nameOf(one), one]).sort(([one], [other]) => one.localeCompare(other));
  document.getElementById("patients").replaceChildren(...named.map(([name, patient]) => {
    const button = element("button", [name], { type: "button", "data-patient": patient.id });
    button.addEventListener("click", () => open(patient, button));
    return element("li", [button]);
  }));
}

list().catch((error) => chart.replaceChildren(failure("Patients", error)));
