/** Between two latents, by the server's own formulas. */

/**
 * Go a share (0 to 1) of the way from one latent to another.
 * @param {number[]} a
 * @param {number[]} b
 * @param {number} share
 * @param {string} [method]  "lerp", the straight way, or "slerp", the arc; where there is no one arc it is straight, too
 */
export function interpolate(a, b, share, method = "lerp") {
  const straight = a.map((z, i) => z + share * (b[i] - z));
  if (method === "lerp") return straight;
  const [long, wide] = [Math.hypot(...a), Math.hypot(...b)];
  const cosine = a.reduce((sum, z, i) => sum + z * b[i], 0) / (long * wide);
  const angle = Math.acos(Math.min(1, Math.max(-1, cosine)));
  if (!(Math.sin(angle) > 1e-4)) return straight;
  const length = ((1 - share) * long + share * wide) / Math.sin(angle);
  const parts = [Math.sin((1 - share) * angle) / long, Math.sin(share * angle) / wide];
  return a.map((z, i) => length * (parts[0] * z + parts[1] * b[i]));
}
