// A Socket.IO client as a browser would be one: node socket.mjs URL TOKEN -> "connected", then a line an event.
import { io } from 'socket.io-client';

const [url, token] = process.argv.slice(2);
const socket = io(url, { auth: { token } });
socket.on('connect', () => console.log('connected'));
socket.on('connect_error', (error) => console.log(`refused ${error.message}`));
socket.on('notification', (event) => console.log(JSON.stringify(event)));
process.on('SIGTERM', () => { socket.close(); process.exit(0); });
