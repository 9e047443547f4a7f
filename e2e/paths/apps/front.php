<?php
// A front controller behind PHP's built-in server, as frameworks have it: it takes the path with parse_url.
$path = rawurldecode(parse_url($_SERVER["REQUEST_URI"], PHP_URL_PATH) ?: "/");
echo rtrim($path, "/") === "/admin/secret" ? getenv("SECRET") : "nothing here";
