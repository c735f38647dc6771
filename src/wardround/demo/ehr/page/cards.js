// Shows cards, and sends what the reader does with them.

import { told } from "./hooks.js";
import { element, shown } from "./markdown.js";

const KINDS = { info: "Information", warning: "Warning", critical: "Critical" };

/** Returns the element of a card. */
export function cardElement(places, service, card) {
  const kind = card.indicator in KINDS ? card.indicator : "info";
  const made = element("article", [
    element("span", [KINDS[kind]], { class: "kind" }),
    element("h3", [card.summary]),
    element("div", shown(card.detail ?? ""), { class: "detail" }),
    element("p", ["From ", linked(card.source.label, card.source.url), ...links(card)], { class: "quiet" }),
  ], { class: `card ${kind}` });
  if (card.uuid) made.append(...answers(places, service, card));
  return made;
}

/** Returns a link that opens elsewhere; the bare label if the address is none of the web. */
function linked(label, url) {
  if (!/^https?:\/\//.test(url ?? "")) return label;
  return element("a", [label], { href: url, target: "_blank", rel: "noopener noreferrer" });
}

function links(card) {
  return (card.links ?? []).flatMap((link) => [" · ", linked(link.label, link.url)]);
}

function answers(places, service, card) {
  const said = element("p", [], { class: "quiet", role: "status" });
  const buttons = [];
  const tell = async (outcome, more, thanks) => {
    buttons.forEach((one) => (one.disabled = true));
    try {
      await told(places, service, card, outcome, more);
      said.textContent = thanks;
    } catch (error) {
      said.textContent = `Not received: ${error.message}`;
      buttons.forEach((one) => (one.disabled = false));
    }
  };
  const suggested = (card.suggestions ?? []).map((suggestion) => {
    const more = { acceptedSuggestions: [{ id: suggestion.uuid }] };
    return button(suggestion.label, () => tell("accepted", more, "Received: accepted."));
  });
  const reasons = card.overrideReasons?.length ? [setAside(card, tell)] : [];
  buttons.push(...suggested, ...reasons.map((form) => form.querySelector("button")));
  return [...suggested, ...reasons, said];
}

/** Returns the form in which a reader says why a card is set aside. */
function setAside(card, tell) {
  const choices = card.overrideReasons.map((reason, number) => {
    const choice = element("input", [], { type: "radio", name: card.uuid, value: number });
    return element("label", [choice, element("span", [reason.display])]);
  });
  const comment = element("input", [], { type: "text" });
  const form = element("fieldset", [
    element("legend", ["Set this card aside"]),
    ...choices,
    element("label", ["Comment (optional)", comment]),
  ]);
  form.append(button("Set aside", () => {
    const chosen = card.overrideReasons[form.querySelector("input:checked")?.value];
    const reason = { ...(chosen && { reason: { code: chosen.code, system: chosen.system } }) };
    if (comment.value.trim()) reason.userComment = comment.value.trim();
    const more = Object.keys(reason).length ? { overrideReason: reason } : {};
    return tell("overridden", more, `Received: set aside${chosen ? `, “${chosen.display}”` : ""}.`);
  }));
  return form;
}

function button(label, act) {
  const made = element("button", [label], { type: "button" });
  made.addEventListener("click", act);
  return made;
}
