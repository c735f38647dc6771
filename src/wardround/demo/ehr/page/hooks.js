// Speaks CDS Hooks as a client: discovery, prefetch by the service's own templates, calls and feedback.

import { asked } from "./fhir.js";

const USER = "Practitioner/demo";
const JSON_TYPE = { "Content-Type": "application/json", Accept: "application/json" };

/** Returns the services that are called when a chart is opened. */
export async function discovered(cds) {
  const answer = await fetch(`${cds}/cds-services`, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`the service answered ${answer.status}`);
  return (await answer.json()).services.filter((service) => service.hook === "patient-view");
}

/** Returns the cards of a service about a patient. Throws what the service says if it answers anything but 200. */
export async function called(places, service, patientId) {
  const context = { userId: USER, patientId };
  const answer = await posted(`${places.cds}/cds-services/${service.id}`, {
    hook: service.hook,
    hookInstance: crypto.randomUUID(),
    fhirServer: places.fhir,
    context,
    prefetch: await prefetched(places.fhir, service.prefetch ?? {}, context),
  });
  return (await answer.json()).cards;
}

/** Tells a service what became of a card. */
export async function told(places, service, card, outcome, more) {
  const entry = { card: card.uuid, outcome, outcomeTimestamp: new Date().toISOString(), ...more };
  await posted(`${places.cds}/cds-services/${service.id}/feedback`, { feedback: [entry] });
}

/** Returns what a template asks for; undefined if it has a token that is not known: such a template is left out. */
export function filled(template, context, today) {
  let unknown = false;
  const text = template.replace(/\{\{\s*(.*?)\s*\}\}/g, (_, token) => {
    const value = valueOf(token, context, today);
    unknown ||= value === undefined;
    return value ?? "";
  });
  return unknown ? undefined : text;
}

function valueOf(token, context, today) {
  const day = /^today\(\)(?:\s*([+-])\s*(\d{1,5})\s+days?)?$/.exec(token);
  if (day) {
    const moved = new Date(today);
    moved.setUTCDate(moved.getUTCDate() + (day[1] === "-" ? -1 : 1) * Number(day[2] ?? 0));
    return moved.toISOString().slice(0, 10);
  }
  const field = /^context\.(\w+)$/.exec(token);
  if (field) return typeof context[field[1]] === "string" ? context[field[1]] : undefined;
  return token === "userPractitionerId" ? context.userId.split("/")[1] : undefined;
}

/** Returns the answers to the templates by their keys. What the FHIR server does not answer is left out. */
async function prefetched(base, templates, context) {
  const now = new Date();
  const keys = Object.keys(templates);
  const answers = await Promise.allSettled(
    keys.map((key) => {
      const path = filled(templates[key], context, now);
      return path === undefined ? Promise.reject(new Error("a token that is not known")) : asked(base, path);
    }),
  );
  const pairs = keys.map((key, number) => [key, answers[number]]);
  return Object.fromEntries(pairs.filter(([, one]) => one.status === "fulfilled").map(([key, one]) => [key, one.value]));
}

async function posted(url, body) {
  const answer = await fetch(url, { method: "POST", headers: JSON_TYPE, body: JSON.stringify(body) });
  if (answer.ok) return answer;
  const outcome = await answer.json().catch(() => ({}));
  const said = (outcome.issue ?? []).map((issue) => issue.diagnostics ?? issue.details?.text).filter(Boolean).join("; ");
  throw new Error(`the service answered ${answer.status}${said ? `: ${said}` : ""}`);
}
