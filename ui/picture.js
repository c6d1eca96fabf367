// Pictures in the browser: scaled down before the upload, small ones kept for this browser's own lists.
import { clear, createStore, del, get, keys, set } from 'idb-keyval';

const LONGEST_EDGE = 1600;
const SMALL_BYTES = 1_500_000;
const THUMB_EDGE = 320;
const THUMBS = 200;
const thumbs = createStore('weedwatch-thumbs', 'thumbs');

// A JPEG of at most LONGEST_EDGE; the file itself where the browser cannot read it: the service may.
export async function scaledDown(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' });
  } catch {
    return file;
  }
  const longest = Math.max(bitmap.width, bitmap.height);
  if (longest <= LONGEST_EDGE && file.size <= SMALL_BYTES) return file;
  const blob = await drawn(bitmap, Math.min(1, LONGEST_EDGE / longest), 0.9);
  return blob.size < file.size ? blob : file;
}

async function drawn(bitmap, scale, quality) {
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale)));
  const context = canvas.getContext('2d');
  context.fillStyle = '#fff'; // a JPEG has no transparency
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas.convertToBlob({ type: 'image/jpeg', quality });
}

// Keep a small copy under the record's id, so that this browser can show what it has sent.
export async function keepThumb(requestId, blob) {
  try {
    const bitmap = await createImageBitmap(blob, { imageOrientation: 'from-image' });
    const scale = Math.min(1, THUMB_EDGE / Math.max(bitmap.width, bitmap.height));
    await set(requestId, await drawn(bitmap, scale, 0.8), thumbs);
    const oldest = (await keys(thumbs)).sort(); // ids are ordered by time
    for (const key of oldest.slice(0, Math.max(0, oldest.length - THUMBS))) await del(key, thumbs);
  } catch {
    // A list without small pictures is still a list.
  }
}

export async function findThumb(requestId) {
  try {
    return (await get(requestId, thumbs)) ?? null;
  } catch {
    return null;
  }
}

// They are of whoever has signed out.
export function forgetThumbs() {
  return clear(thumbs).catch(() => {});
}

export async function forgetThumb(requestId) {
  await del(requestId, thumbs).catch(() => {});
}
