/** The API's description, readable by people. */
{
  const description = `${(window.CARVAE_API ?? "").replace(/\/+$/, "")}/openapi.json`;
  const place = /** @type {HTMLElement} */ (document.getElementById("reference"));
  const [type, code] = ['"Archivo Narrow", sans-serif', "ui-monospace, Consolas, Menlo, monospace"];
  const theme = {
    colors: { primary: { main: "#1350b5" } },
    typography: { fontFamily: type, fontSize: "16px", headings: { fontFamily: type, fontWeight: "700" }, code: { fontFamily: code } },
    rightPanel: { backgroundColor: "#1a1d20" },
  };
  /** @type {HTMLAnchorElement} */ (document.getElementById("description")).href = description;
  // Its search builds a worker from text, which the page's policy forbids; a dozen routes need none.
  window.Redoc.init(description, { disableSearch: true, hideDownloadButton: true, theme }, place, (/** @type {unknown} */ failure) => {
    if (failure) place.textContent = "The description of the API did not arrive. Check the connection, then reload the page.";
  });
}
