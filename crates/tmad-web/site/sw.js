// Keeps the whole page, so that it opens without a network after the first visit. The two
// constants VERSION and FILES are written before this by tools/site.
//
// A new version is fetched in the background and takes over when the page has been closed
// everywhere: the files of two versions never mix.

self.addEventListener("install", (event) => {
  const requests = FILES.map((name) => new Request(name === "index.html" ? "./" : name, { cache: "no-cache" }));
  event.waitUntil(caches.open(VERSION).then((cache) => cache.addAll(requests)));
});

self.addEventListener("activate", (event) => {
  const forget = async () => {
    for (const name of await caches.keys()) if (name !== VERSION) await caches.delete(name);
    await self.clients.claim();
  };
  event.waitUntil(forget());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || new URL(request.url).origin !== location.origin) return;
  const answer = async () => {
    const cache = await caches.open(VERSION);
    const wanted = request.mode === "navigate" ? "./" : request;
    return (await cache.match(wanted, { ignoreSearch: true })) ?? fetch(request);
  };
  event.respondWith(answer());
});
