// The end, also after a reload: the contract's two marks of a finished survey.
window.__result = JSON.parse(document.getElementById("result").textContent);
window.__done = true;
