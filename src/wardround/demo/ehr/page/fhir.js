// Reads the FHIR server. A failed request throws, with the status for whom it concerns.

const HEADERS = { Accept: "application/fhir+json" };

/** Returns the resource of a read, or of a search one Bundle with the entries of all its pages. */
export async function asked(base, path) {
  const answer = await page(`${base}/${path}`);
  if (answer.resourceType !== "Bundle") return answer;
  const entries = [...(answer.entry ?? [])];
  for (let next = linkToNext(answer); next; ) {
    if (!next.startsWith(`${base}/`) && !next.startsWith(`${base}?`)) throw new Error("a page of another server");
    const more = await page(next);
    entries.push(...(more.entry ?? []));
    next = linkToNext(more);
  }
  const whole = { resourceType: "Bundle", type: "searchset", total: entries.length };
  return entries.length ? { ...whole, entry: entries } : whole;
}

/** Returns the resources of a search that have this type. */
export async function found(base, path) {
  const bundle = await asked(base, path);
  const type = path.split("?")[0];
  return (bundle.entry ?? []).map((entry) => entry.resource).filter((one) => one.resourceType === type);
}

async function page(url) {
  const answer = await fetch(url, { headers: HEADERS });
  if (!answer.ok) throw new Error(`the FHIR server answered ${answer.status}`);
  return answer.json();
}

function linkToNext(bundle) {
  return bundle.link?.find((link) => link.relation === "next")?.url;
}
