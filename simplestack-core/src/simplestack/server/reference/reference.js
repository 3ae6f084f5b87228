// Shows the OpenAPI document of this service with Swagger UI, for one hypervisor and host.
"use strict";

// The mock hypervisor accepts any user. Each host name is a separate, small data centre.
const MOCK_TARGET = { host: "demo", user: "demo", password: "demo" };

const tokenForm = document.getElementById("service-token");
const targetForm = document.getElementById("target");
const { hypervisor, host, user, password } = targetForm.elements;
let serviceToken = "";
let ui;

// Fetch JSON from the service. An error has the message and the status of the response.
async function fetchJson(path) {
  const headers = serviceToken ? { Authorization: `Bearer ${serviceToken}` } : {};
  const response = await fetch(path, { headers });
  const content = await response.json();
  if (!response.ok) throw Object.assign(new Error(content.message), { status: response.status });
  return content;
}

// Run a step. If it fails, show the reason, and ask for a service token if that is the reason.
async function attempt(step) {
  const problem = document.getElementById("problem");
  problem.hidden = true;
  try {
    await step();
  } catch (error) {
    const needsToken = error.status === 401;
    tokenForm.hidden = !needsToken;
    problem.hidden = needsToken;
    (needsToken ? tokenForm.querySelector("[role=alert]") : problem).textContent = error.message;
    if (needsToken) tokenForm.elements.token.focus();
    document.getElementById("reference").replaceChildren();
  }
}

// Fill the list of hypervisors, choose one, and show its operations.
async function start() {
  const { hypervisors } = await fetchJson("./");
  tokenForm.hidden = true;
  targetForm.hidden = false;
  const names = Object.keys(hypervisors);
  hypervisor.replaceChildren(
    ...names.map((name) => new Option(`${name}: ${hypervisors[name].title}`, name)),
    new Option("All hypervisors", ""),
  );
  const asked = new URLSearchParams(location.search).get("hypervisor");
  const found = names.find((name) => name === asked || hypervisors[name].aliases.includes(asked));
  const preferred = names.includes("mock") ? "mock" : names.length === 1 ? names[0] : "";
  await choose(found ?? asked ?? preferred);
}

// Show the operations of a hypervisor. An empty name means all hypervisors.
async function choose(name) {
  hypervisor.value = name;
  for (const field of [host, user, password]) field.value = name === "mock" ? MOCK_TARGET[field.name] : "";
  await show(name);
}

async function show(name) {
  const spec = await fetchJson(name ? `openapi.json?hypervisor=${encodeURIComponent(name)}` : "openapi.json");
  if (hypervisor.value !== name) return; // the user has chosen another one in the meantime
  if (host.value) {
    const { examples, ...parameter } = spec.components.parameters.host;
    spec.components.parameters.host = { ...parameter, example: host.value };
  }
  // The service's root as the browser sees it: a proxy may add a prefix that the service does not know.
  spec.servers = [{ url: new URL("./", location.href).pathname }];
  const [introduction, ...sections] = spec.info.description.split(/^## (.+)$/m);
  spec.info.description = introduction;
  const domNode = document.createElement("div");
  document.getElementById("reference").replaceChildren(domNode);
  ui = SwaggerUIBundle({
    spec,
    domNode,
    plugins: [foldedSections(sections)],
    deepLinking: true,
    displayOperationId: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    validatorUrl: null,
    onComplete: authorize,
  });
}

// A plugin that shows sections of the description below it, each folded under its title.
function foldedSections(sections) {
  const InfoContainer = (Original, { getSystem }) => (properties) => {
    const { React, getComponent } = getSystem();
    const element = React.createElement;
    const Markdown = getComponent("Markdown", true);
    const folded = [];
    for (let position = 0; position < sections.length; position += 2) {
      const [title, source] = sections.slice(position, position + 2);
      const content = [element("summary", null, title), element(Markdown, { source })];
      folded.push(element("details", { key: title }, ...content));
    }
    return element("div", null, element(Original, properties), element("div", { className: "guide" }, folded));
  };
  return { wrapComponents: { InfoContainer } };
}

// Let Swagger UI send the credentials in the form, and the service token.
function authorize() {
  if (!ui) return;
  if (user.value) {
    const bytes = new TextEncoder().encode(`${user.value}:${password.value}`);
    ui.preauthorizeApiKey("hypervisor_token", btoa(String.fromCharCode(...bytes)));
  } else if (ui.authSelectors.authorized().size) {
    ui.authActions.logout(["hypervisor_token"]);
  }
  if (serviceToken) ui.preauthorizeApiKey("service_token", serviceToken);
}

tokenForm.addEventListener("submit", (event) => {
  event.preventDefault();
  serviceToken = tokenForm.elements.token.value;
  attempt(start);
});
targetForm.addEventListener("submit", (event) => event.preventDefault());
hypervisor.addEventListener("change", () => {
  const name = hypervisor.value;
  history.replaceState(null, "", `?hypervisor=${encodeURIComponent(name)}`);
  attempt(() => choose(name));
});
host.addEventListener("change", () => attempt(() => show(hypervisor.value)));
for (const field of [user, password]) field.addEventListener("change", authorize);
attempt(start);
