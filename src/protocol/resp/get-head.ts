/** How every GET begins, and the bits that upper and lower case differ in. */
const GET_HEAD = Buffer.from('*2\r\n$3\r\nget\r\n');
const GET_CASE = Buffer.from('\0\0\0\0\0\0\0\0   \0\0', 'latin1');

/** Whether the request at `start`, whose head is there, is a GET with one key. */
export function isGetHead(input: Buffer, start: number): boolean {
  for (let i = 0; i < GET_HEAD.length; i++) {
    if ((input[start + i] | GET_CASE[i]) !== GET_HEAD[i]) return false;
  }
  return true;
}
