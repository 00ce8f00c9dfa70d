// The kinds of widgets that can be made here. Others are shown field by field.

/** @type {{kind: string, label: string, hint: string, size: {w: number, h: number}, value: Record<string, any>}[]} */
export const KINDS = [
  {
    kind: 'figure',
    label: 'Figure',
    hint: 'one number, large',
    size: { w: 3, h: 2 },
    value: { kind: 'figure', title: 'New figure', value: 0, unit: '' },
  },
  {
    kind: 'chart',
    label: 'Chart',
    hint: 'a line through points',
    size: { w: 6, h: 3 },
    value: { kind: 'chart', title: 'New chart', points: [3, 5, 4, 6, 8, 7, 9] },
  },
  { kind: 'note', label: 'Note', hint: 'some words', size: { w: 4, h: 3 }, value: { kind: 'note', title: 'New note', text: '' } },
  { kind: 'list', label: 'List', hint: 'one thing below the other', size: { w: 4, h: 3 }, value: { kind: 'list', title: 'New list', items: ['first'] } },
];
