// Passkey ceremonies: ask the server for the options, let the browser sign, hand the answer back.

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=+$/, "");
const withBytes = (list) => (list || []).map((item) => ({ ...item, id: bytes(item.id) }));

async function post(url, csrf, body) {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "X-CSRFToken": csrf, "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify(body || {}),
  });
  const found = (answer.headers.get("Content-Type") || "").includes("json") ? await answer.json() : {};
  if (!answer.ok) throw new Error(found.detail || "The server did not accept it. Reload the page and try again.");
  return found;
}

async function create(options) {
  const made = await navigator.credentials.create({
    publicKey: {
      ...options,
      challenge: bytes(options.challenge),
      user: { ...options.user, id: bytes(options.user.id) },
      excludeCredentials: withBytes(options.excludeCredentials),
    },
  });
  const { response } = made;
  return {
    ...plain(made),
    response: {
      clientDataJSON: text(response.clientDataJSON),
      attestationObject: text(response.attestationObject),
      transports: response.getTransports ? response.getTransports() : [],
    },
  };
}

async function get(options) {
  const found = await navigator.credentials.get({
    publicKey: { ...options, challenge: bytes(options.challenge), allowCredentials: withBytes(options.allowCredentials) },
  });
  const { response } = found;
  return {
    ...plain(found),
    response: {
      clientDataJSON: text(response.clientDataJSON),
      authenticatorData: text(response.authenticatorData),
      signature: text(response.signature),
      userHandle: response.userHandle ? text(response.userHandle) : undefined,
    },
  };
}

const plain = (credential) => ({
  id: credential.id,
  rawId: text(credential.rawId),
  type: credential.type,
  authenticatorAttachment: credential.authenticatorAttachment || undefined,
  clientExtensionResults: credential.getClientExtensionResults(),
});

const REFUSALS = {
  NotAllowedError: "Nothing was chosen in time, or it was cancelled. Try again.",
  InvalidStateError: "This device has a passkey for your account already.",
  SecurityError: "Passkeys do not work at this address. Open Carillon at its own address and try again.",
};

for (const part of document.querySelectorAll("[data-passkey]")) {
  if (!window.PublicKeyCredential) continue;
  part.hidden = false;
  const button = part.querySelector("button");
  const problem = part.querySelector("[role=alert]");
  button.addEventListener("click", async () => {
    button.disabled = true;
    problem.hidden = true;
    try {
      const { begin, complete, csrf, next, passkey } = part.dataset;
      const options = await post(begin, csrf);
      const credential = await (passkey === "create" ? create : get)(options);
      const query = next && passkey === "get" ? `?next=${encodeURIComponent(next)}` : "";
      const done = await post(complete + query, csrf, credential);
      window.location.assign(done.redirect_url || next || "/");
    } catch (error) {
      problem.textContent = REFUSALS[error.name] || error.message;
      problem.hidden = false;
      button.disabled = false;
      button.focus();
    }
  });
}
