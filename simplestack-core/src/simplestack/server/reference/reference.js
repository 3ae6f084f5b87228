// Shows the service's document; asks for a service token first where the service wants one.
"use strict";

const form = document.getElementById("token");

async function show(serviceToken) {
  const headers = serviceToken ? { Authorization: `Bearer ${serviceToken}` } : {};
  const answer = await fetch("openapi.json" + window.location.search, { headers });
  form.hidden = answer.status !== 401;
  const spec = await answer.json();
  if (!answer.ok) {
    if (answer.status !== 401) document.getElementById("reference").textContent = spec.message;
    return;
  }
  const reference = SwaggerUIBundle({
    spec,
    dom_id: "#reference",
    deepLinking: true,
    displayOperationId: true,
    docExpansion: "none",
    tagsSorter: undefined,
    validatorUrl: null,
    onComplete: () => serviceToken && reference.preauthorizeApiKey("service_token", serviceToken),
  });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  show(new FormData(form).get("token"));
});
show();
