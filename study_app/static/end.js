// Marks the survey as finished, also after a reload, by the two values that the contract names.
window.__result = JSON.parse(document.getElementById("result").textContent);
window.__done = true;
