import { type Page, pageOf } from '../page/page.ts';

/** As the build leaves them: modules of JavaScript, style sheets, and one of HTML. */
const FOLDER = new URL('./page/', import.meta.url);

/** The status page. */
export function statusPage(): Page {
  return pageOf(FOLDER, ['server.css', 'sets.css']);
}
