// Address of the API, without a slash at the end; "" means the server this page came from.
window.CARVAE_API = "";
