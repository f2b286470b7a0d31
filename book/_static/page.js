// On every page: what can be scrolled sideways can be reached from the keyboard, and every control has a name.
(() => {
  "use strict";
  function reach() {
    for (const box of document.querySelectorAll('mjx-container[display="true"], .table-scroll, .plot-scroll')) {
      if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  }
  // The theme's arrows in the list of pages have no name of their own.
  document.addEventListener("DOMContentLoaded", () => {
    for (const arrow of document.querySelectorAll(".bd-sidebar-primary summary:not([aria-label])")) {
      const page = arrow.closest("li")?.querySelector("a")?.textContent.trim();
      arrow.setAttribute("aria-label", page ? `Pages of ${page}` : "Pages");
    }
  });
  window.addEventListener("load", async () => {
    await window.MathJax?.startup?.promise;
    reach();
    new ResizeObserver(reach).observe(document.querySelector(".bd-article") ?? document.body);
  });
})();
