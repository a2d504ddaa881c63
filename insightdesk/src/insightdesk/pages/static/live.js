// Socket.IO's own protocol (Engine.IO 4 over a WebSocket), as much of it as listening needs.
"use strict";

const RETRY = 2000, SILENCE = 60000; // milliseconds until the next try, and without a sign of life

// Calls `heard[name](data)` for each event, and `heard.connected(true or false)` when the line comes and goes.
function listenLive(heard) {
  const address = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/socket.io/?EIO=4&transport=websocket`;
  const socket = new WebSocket(address);
  let silent = setTimeout(() => socket.close(), SILENCE);
  socket.onmessage = ({ data }) => {
    clearTimeout(silent);
    silent = setTimeout(() => socket.close(), SILENCE);
    if (data[0] === "0") socket.send("40"); // opened: ask for the default namespace, by the session's cookie
    else if (data === "2") socket.send("3"); // ping
    else if (data.startsWith("40")) heard.connected(true);
    else if (data.startsWith("44")) socket.close(); // refused: the session has ended
    else if (data.startsWith("42")) {
      const [name, value] = JSON.parse(data.slice(2));
      heard[name]?.(value);
    }
  };
  socket.onclose = () => {
    clearTimeout(silent);
    heard.connected(false);
    setTimeout(() => listenLive(heard), RETRY);
  };
}
