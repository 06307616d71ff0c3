"use strict";

// An app is served at / or at /NAME/: everything is relative to the page.
const base = new URL(".", document.baseURI);
const socket = io(base.origin, { path: `${base.pathname}socket.io/`, autoConnect: false });
window.socket = socket; // for tests and for the console

const ACK_MS = 10_000;
const TYPING_MS = 3_000;
const IMAGE_BYTES = 400_000; // below the app's kv_value_bytes
const IMAGE_SIDE = 1600;

const $ = (id) => document.getElementById(id);
const element = (tag, className, text = "") => Object.assign(document.createElement(tag), { className, textContent: text });

/** Rooms that are open: name → { members: Map(id → member), messages: [], typing: Map(id → timer), unread } */
const rooms = new Map();
/** The ids that this tab has had: a reload or a lost recovery gives it a new one. */
const mine = new Set(JSON.parse(sessionStorage.getItem("ids") ?? "[]"));
let me = sessionStorage.getItem("name") ?? "";
let current = null;
let typedAt = 0;

// ---- Connection -------------------------------------------------------------------------------------------------

function showStatus(state, text) {
  const transport = state === "connected" ? socket.io.engine.transport.name : "none";
  $("status").dataset.state = state;
  $("status").dataset.transport = transport;
  $("status-text").textContent = text;
  $("transport").textContent = { polling: "polling", websocket: "WebSocket" }[transport] ?? "";
}

let connectedBefore = false;
socket.on("connect", () => {
  mine.add(socket.id);
  sessionStorage.setItem("ids", JSON.stringify([...mine].slice(-20)));
  showStatus("connected", "Connected");
  socket.io.engine.on("upgrade", () => showStatus("connected", "Connected"));
  $("status").dataset.recovered = socket.recovered;
  if (socket.recovered) {
    // The same socket: its rooms are joined, and what was missed has arrived already.
    $("recovered").hidden = false;
    setTimeout(() => ($("recovered").hidden = true), 6_000);
  } else if (connectedBefore) {
    for (const name of [...rooms.keys()]) enterAgain(name);
  }
  connectedBefore = true;
});
socket.on("disconnect", (reason) => {
  showStatus("reconnecting", socket.active ? "Reconnecting" : "Disconnected");
  // The server let us go for good; a person who looks at the page wants back in.
  if (reason === "io server disconnect") setTimeout(() => socket.connect(), 1_000);
});
socket.on("connect_error", () => showStatus("reconnecting", connectedBefore ? "Reconnecting" : "No answer, retrying"));

/** Emits and waits: the answer, or an error that a person can read. */
async function ask(event, ...args) {
  const answer = await socket.timeout(ACK_MS).emitWithAck(event, ...args).catch(() => {
    throw new Error("No answer");
  });
  if (answer?.error) throw new Error(answer.error.message ?? answer.error);
  return answer;
}

// ---- Events -----------------------------------------------------------------------------------------------------

socket.on("message", (message, image) => {
  const room = rooms.get(message.room);
  if (!room) return;
  stopTyping(room, message.from);
  add(room, { ...message, image });
  if (message.room !== current || document.hidden) {
    room.unread += 1;
    showRooms();
  }
});
socket.on("joined", (name, member) => {
  const room = rooms.get(name);
  if (!room) return;
  room.members.set(member.id, member);
  if (name === current) showMembers();
});
socket.on("left", (name, id) => forget(rooms.get(name), id));
socket.on("gone", (id) => rooms.forEach((room) => forget(room, id)));
socket.on("away", (id, away) => {
  for (const room of rooms.values()) if (room.members.has(id)) room.members.get(id).away = away;
  showMembers();
});
socket.on("typing", (name, id) => {
  const room = rooms.get(name);
  if (!room?.members.has(id)) return;
  clearTimeout(room.typing.get(id));
  room.typing.set(id, setTimeout(() => stopTyping(room, id), TYPING_MS));
  showTyping();
});

function forget(room, id) {
  room?.gone.add(id);
  if (!room?.members.delete(id)) return;
  stopTyping(room, id);
  if (room.name === current) showMembers();
}

function stopTyping(room, id) {
  clearTimeout(room.typing.get(id));
  room.typing.delete(id);
  showTyping();
}

// ---- Rooms ------------------------------------------------------------------------------------------------------

/** Joins a room, again if need be, and takes over who is in it and what was said. */
async function enter(name) {
  const room = rooms.get(name) ?? { name, unread: 0, typing: new Map() };
  Object.assign(room, { members: new Map(), messages: [], gone: new Set() });
  rooms.set(name, room);
  await ask("join", me, name);
  const [members, said] = await ask("room", name);
  // Events of the moment may have come before this answer: what they said stands.
  for (const member of members) if (!room.gone.has(member.id)) room.members.set(member.id, member);
  const known = new Set(room.messages.map((message) => message.id));
  room.messages = [...said.filter((message) => !known.has(message.id)), ...room.messages];
  room.messages.sort((a, b) => (a.id ?? Infinity) - (b.id ?? Infinity));
  if (name === current) showRoom();
  showRooms();
}

function enterAgain(name) {
  if (socket.connected && rooms.has(name)) enter(name).catch(() => setTimeout(enterAgain, 2_000, name));
}

async function open(name) {
  if (!rooms.has(name)) {
    await enter(name).catch((error) => {
      rooms.delete(name);
      throw error;
    });
  }
  current = name;
  showRoom();
  $("text").focus();
}

function close(name) {
  socket.emit("leave", name);
  rooms.delete(name);
  if (name === current) open(rooms.keys().next().value);
  showRooms();
}

function showRooms() {
  $("rooms").replaceChildren(
    ...[...rooms.values()].map(({ name, unread }) => {
      const item = element("li", "room");
      item.dataset.room = name;
      if (unread) item.dataset.unread = unread;
      item.ariaCurrent = String(name === current);
      const go = element("button", "go", name);
      go.onclick = () => open(name);
      const leave = element("button", "close", "×");
      leave.title = "Leave";
      leave.disabled = rooms.size === 1;
      leave.onclick = () => close(name);
      item.append(go, element("span", "unread", unread), leave);
      return item;
    }),
  );
  const unread = [...rooms.values()].reduce((sum, room) => sum + room.unread, 0);
  document.title = `${unread ? `(${unread}) ` : ""}${current ?? "Chat"} · Wakeline`;
}

function showRoom() {
  const room = rooms.get(current);
  room.unread = 0;
  history.replaceState(null, "", `#${encodeURIComponent(current)}`);
  $("title").textContent = current;
  $("text").placeholder = `Message #${current}`;
  $("messages").replaceChildren();
  room.messages.forEach((message, index) => show(message, room.messages[index - 1]));
  toBottom();
  showRooms();
  showMembers();
  showTyping();
}

function showMembers() {
  const members = [...(rooms.get(current)?.members.values() ?? [])];
  members.sort((a, b) => (b.id === socket.id) - (a.id === socket.id) || a.name.localeCompare(b.name));
  $("members").replaceChildren(
    ...members.map((member) => {
      const item = element("li", "member");
      item.dataset.id = member.id;
      item.dataset.away = member.away;
      item.append(avatar(member.name), element("span", "name", member.name));
      if (member.id === socket.id) item.append(element("small", "", "you"));
      else if (member.away) item.append(element("small", "", "away"));
      return item;
    }),
  );
  $("count").textContent = members.length === 1 ? "only you" : `${members.length} people`;
}

function showTyping() {
  const room = rooms.get(current);
  const names = [...(room?.typing.keys() ?? [])].map((id) => room.members.get(id)?.name).filter(Boolean);
  const who = names.length > 2 ? "Several people" : names.join(" and ");
  $("typing").textContent = names.length ? `${who} ${names.length === 1 ? "is" : "are"} typing` : "";
}

// ---- Messages ---------------------------------------------------------------------------------------------------

function add(room, message) {
  room.messages.push(message);
  if (room.name !== current) return null;
  const list = $("messages");
  const atBottom = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  const item = show(message, room.messages.at(-2));
  item.classList.add("new");
  if (atBottom || item.dataset.own === "true") toBottom();
  return item;
}

function show(message, previous) {
  const item = $("message-template").content.firstElementChild.cloneNode(true);
  const at = new Date(message.at);
  message.item = item;
  item.dataset.id = message.id ?? "";
  item.dataset.own = mine.has(message.from);
  item.dataset.state = message.state ?? "sent";
  item.classList.toggle("follows", previous?.from === message.from && message.at - previous.at < 300_000);
  item.querySelector(".avatar").replaceWith(avatar(message.name));
  item.querySelector(".name").textContent = message.name;
  item.querySelector("time").textContent = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  item.querySelector("time").dateTime = at.toISOString();
  const bubble = item.querySelector(".bubble");
  if (message.has_image) {
    bubble.classList.add("picture");
    bubble.append(picture(message));
    if (message.text) bubble.append(element("p", "", message.text));
  } else {
    bubble.textContent = message.text;
  }
  $("messages").append(item);
  return item;
}

/** A picture arrives with its message; that of one from the history is fetched. */
function picture(message) {
  const image = Object.assign(new Image(), { alt: message.text || `Picture from ${message.name}` });
  const use = (bytes) => {
    message.url ??= URL.createObjectURL(new Blob([bytes]));
    image.src = message.url;
  };
  image.onload = toBottomIfNear;
  image.onclick = () => enlarge(image.src);
  if (message.url || message.image) use(message.image);
  else ask("image", message.room, message.id).then((bytes) => (bytes ? use(bytes) : image.remove()), () => image.remove());
  return image;
}

function enlarge(src) {
  const dialog = document.createElement("dialog");
  dialog.append(Object.assign(new Image(), { src, alt: "" }));
  dialog.onclick = () => dialog.close();
  dialog.onclose = () => dialog.remove();
  document.body.append(dialog);
  dialog.showModal();
}

async function say(text, image = null) {
  const room = rooms.get(current);
  const message = { room: current, from: socket.id, name: me, at: Date.now(), text, has_image: image !== null, image, state: "sending" };
  const item = add(room, message);
  try {
    Object.assign(message, await ask("say", room.name, text, image), { state: "sent" });
    item.dataset.id = message.id;
  } catch (error) {
    message.state = "failed";
    item.dataset.problem = `Not sent: ${error.message}`;
  }
  item.dataset.state = message.state;
}

/** The file's bytes, made smaller if they are too many. */
async function shrink(file) {
  if (file.size <= IMAGE_BYTES) return file.arrayBuffer();
  const bitmap = await createImageBitmap(file);
  for (let scale = Math.min(1, IMAGE_SIDE / Math.max(bitmap.width, bitmap.height)); ; scale *= 0.7) {
    const canvas = new OffscreenCanvas(Math.ceil(bitmap.width * scale), Math.ceil(bitmap.height * scale));
    canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.85 });
    if (blob.size <= IMAGE_BYTES) return blob.arrayBuffer();
  }
}

async function sendImages(files) {
  for (const file of files) {
    if (!file.type.startsWith("image/")) continue;
    const text = $("text").value.trim();
    $("text").value = "";
    await say(text, await shrink(file));
  }
}

function avatar(name) {
  const initials = name.split(/\s+/).map((word) => [...word][0]).slice(0, 2).join("").toUpperCase();
  const badge = element("span", "avatar", initials);
  const hue = [...name].reduce((hash, letter) => (hash * 31 + letter.codePointAt(0)) % 360, 7);
  badge.style.setProperty("--hue", hue);
  badge.ariaHidden = "true";
  return badge;
}

function toBottom() {
  $("messages").scrollTop = $("messages").scrollHeight;
}

function toBottomIfNear() {
  const list = $("messages");
  if (list.scrollHeight - list.scrollTop - list.clientHeight < 400) toBottom();
}

// ---- The page ---------------------------------------------------------------------------------------------------

$("composer").onsubmit = (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  $("text").value = "";
  typedAt = 0;
  if (text) say(text);
};
$("text").oninput = () => {
  if (Date.now() - typedAt < TYPING_MS / 2 || !$("text").value) return;
  typedAt = Date.now();
  socket.volatile.emit("typing", current);
};
$("image").onchange = async () => {
  const files = [...$("image").files];
  $("image").value = "";
  await sendImages(files);
};
$("text").onpaste = (event) => sendImages(event.clipboardData.files);
const main = document.querySelector("main");
main.ondragover = (event) => {
  event.preventDefault();
  main.classList.add("drop");
};
main.ondragleave = () => main.classList.remove("drop");
main.ondrop = (event) => {
  event.preventDefault();
  main.classList.remove("drop");
  sendImages(event.dataTransfer.files);
};
$("open").onsubmit = (event) => {
  event.preventDefault();
  const name = $("open-room").value.trim();
  $("open-room").value = "";
  if (name) open(name);
};
document.onvisibilitychange = () => {
  if (!current) return;
  socket.emit("away", document.hidden);
  if (!document.hidden) {
    rooms.get(current).unread = 0;
    showRooms();
  }
};

async function join(room) {
  $("problem").textContent = "";
  try {
    await open(room);
    sessionStorage.setItem("name", me);
    $("welcome").hidden = true;
    $("app").inert = false;
    $("text").focus();
  } catch (error) {
    $("problem").textContent = `${error.message}. Please try again.`;
  }
}
$("enter").onsubmit = (event) => {
  event.preventDefault();
  me = $("name").value.trim();
  join($("room").value.trim());
};

$("name").value = me;
$("room").value = decodeURIComponent(location.hash.slice(1)) || "lobby";
if (me) join($("room").value);
socket.connect();
