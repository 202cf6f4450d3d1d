import { emitStructs } from './struct.mjs';
import { constants, header, quote } from './text.mjs';

const ids = (rows) => rows.map(([name, n, doc]) => [name, `${n}`, doc]);

export function emit(read) {
  const s = read('tdvf');
  const { text, imports } = emitStructs(s.structs);
  return {
    'src/spec/tdvf.ts': [
      header('tdvf').trimEnd(),
      imports,
      constants(
        'TDVF_GUID',
        s.guids.map(([name, guid, doc]) => [name, quote(guid), doc]),
        'GUIDs in their text form.',
      ),
      constants('TDVF', ids(s.constants)),
      constants('TDVF_SECTION_TYPE', ids(s.sectionTypes)),
      constants('TDVF_SECTION_ATTRIBUTE', ids(s.sectionAttributes)),
      constants('HOB_TYPE', ids(s.hobTypes)),
      constants('HOB', ids(s.hobConstants)),
      constants('HOB_RESOURCE', ids(s.resourceTypes), 'EFI_RESOURCE_TYPE.'),
      constants('HOB_RESOURCE_ATTRIBUTE', ids(s.resourceAttributes), 'EFI_RESOURCE_ATTRIBUTE.'),
      text,
    ].join('\n'),
  };
}
