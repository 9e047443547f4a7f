// An application on Express. Arguments: the port, the folder of static files, what the protected
// resource says.
import express from "express";

const [port, folder, secret] = process.argv.slice(2);
const app = express();
app.get("/admin/secret", (_, response) => response.send(secret));
app.use(express.static(folder));
app.use((_, response) => response.status(404).send("nothing here"));
app.listen(Number(port), "127.0.0.1");
